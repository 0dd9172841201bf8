"""A language model of LSTMs, as PyTorch's word_language_model example has it."""

import math
import os
import tempfile

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


class RNNModel(nn.Module):
    def __init__(self, rnn_type, ntoken, ninp, nhid, nlayers, dropout=0.0, tie_weights=False):
        super(RNNModel, self).__init__()
        self.ntoken = ntoken
        self.drop = nn.Dropout(dropout)
        self.encoder = nn.Embedding(ntoken, ninp)
        self.rnn = getattr(nn, rnn_type)(ninp, nhid, nlayers, dropout=dropout)
        self.decoder = nn.Linear(nhid, ntoken)
        if tie_weights:
            if nhid != ninp:
                raise ValueError("When using the tied flag, nhid must be equal to emsize")
            self.decoder.weight = self.encoder.weight
        self.init_weights()
        self.rnn_type = rnn_type
        self.nhid = nhid
        self.nlayers = nlayers

    def init_weights(self):
        initrange = 0.1
        nn.init.uniform_(self.encoder.weight, -initrange, initrange)
        nn.init.zeros_(self.decoder.bias)
        self.decoder.weight.data.uniform_(-initrange, initrange)

    def forward(self, input, hidden):
        emb = self.drop(self.encoder(input))
        output, hidden = self.rnn(emb, hidden)
        decoded = self.decoder(self.drop(output))
        decoded = decoded.view(-1, self.ntoken)
        return F.log_softmax(decoded, dim=1), hidden

    def init_hidden(self, bsz):
        weight = next(self.parameters())
        if self.rnn_type == "LSTM":
            return (
                weight.new_zeros(self.nlayers, bsz, self.nhid),
                weight.new_zeros(self.nlayers, bsz, self.nhid),
            )
        return weight.new_zeros(self.nlayers, bsz, self.nhid)


def repackage_hidden(h):
    if isinstance(h, torch.Tensor):
        return h.detach()
    return tuple(repackage_hidden(v) for v in h)


def batchify(data, bsz):
    nbatch = data.size(0) // bsz
    data = data.narrow(0, 0, nbatch * bsz)
    return data.view(bsz, -1).t().contiguous().to(device)


def get_batch(source, i):
    seq_len = min(bptt, len(source) - 1 - i)
    return source[i : i + seq_len], source[i + 1 : i + 1 + seq_len].view(-1)


def evaluate(data_source):
    model.eval()
    total_loss = 0.0
    hidden = model.init_hidden(4)
    with torch.no_grad():
        for i in range(0, data_source.size(0) - 1, bptt):
            data, targets = get_batch(data_source, i)
            output, hidden = model(data, hidden)
            hidden = repackage_hidden(hidden)
            total_loss += len(data) * criterion(output, targets).item()
    return total_loss / (len(data_source) - 1)


def train():
    model.train()
    total_loss = 0.0
    hidden = model.init_hidden(4)
    for batch, i in enumerate(range(0, train_data.size(0) - 1, bptt)):
        data, targets = get_batch(train_data, i)
        model.zero_grad()
        hidden = repackage_hidden(hidden)
        output, hidden = model(data, hidden)
        loss = criterion(output, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.25)
        for p in model.parameters():
            p.data.add_(p.grad, alpha=-lr)
        total_loss += loss.item()
        losses.append(loss.item())
    return total_loss


torch.set_default_dtype(torch.float64)
torch.manual_seed(1111)
device = torch.device("cpu")
bptt, lr = 7, 20.0
rng = np.random.RandomState(0)
corpus = torch.tensor(np.cumsum(rng.choice([1, 2, 3], 380, p=[0.7, 0.2, 0.1])) % 9)
train_data, val_data = batchify(corpus[:300], 4), batchify(corpus[300:], 4)
model = start(RNNModel("LSTM", 9, 6, 6, 2, tie_weights=True).to(device))
criterion = nn.NLLLoss()
losses, validated = [], []
best_val_loss = None
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "model.pt")
    for epoch in range(1, 6):
        train()
        val_loss = evaluate(val_data)
        validated.append(math.exp(val_loss))
        if not best_val_loss or val_loss < best_val_loss:
            with open(path, "wb") as f:
                torch.save(model.state_dict(), f)
            best_val_loss = val_loss
        else:
            lr /= 4.0
    with open(path, "rb") as f:
        model.load_state_dict(torch.load(f))
model.rnn.flatten_parameters()

# Goes on with an optimizer, and a schedule that looks at the loss.
optimizer = torch.optim.RMSprop(model.parameters(), lr=0.01, alpha=0.9, centered=True)
plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=0)
hidden = None
for step in range(10):
    data, targets = get_batch(train_data, 7 * (step % 9))
    optimizer.zero_grad()
    output, (h, c) = model(data, hidden or model.init_hidden(4))
    hidden = (h.detach(), c.detach())
    loss = criterion(output, targets)
    loss.backward()
    optimizer.step()
    plateau.step(loss.item())
    losses.append(loss.item())
results = {"perplexity": validated, "lr": optimizer.param_groups[0]["lr"], "h": hidden[0].tolist()}
