"""Sentences of different lengths, read by a packed GRU and by a Transformer with masks."""

import copy

import numpy as np
import torch
import torch.nn as nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence
from torch.utils.data import DataLoader, IterableDataset

torch.set_default_dtype(torch.float64)
rng = np.random.RandomState(0)


class Sentences(IterableDataset):
    def __init__(self, count):
        self.items = [rng.randint(1, 8, rng.randint(3, 9)) for _ in range(count)]

    def __iter__(self):
        for words in self.items:
            yield torch.tensor(words), float(words.sum() % 2)


def collate(batch):
    batch.sort(key=lambda item: len(item[0]), reverse=True)
    words, labels = zip(*batch)
    lengths = torch.tensor([len(one) for one in words])
    return pad_sequence(words, batch_first=True, padding_value=0), lengths, torch.tensor(labels)


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(8, 6, padding_idx=0)
        self.gru = nn.GRU(6, 4, batch_first=True, bidirectional=True)
        layer = nn.TransformerEncoderLayer(
            d_model=8, nhead=2, dim_feedforward=12, dropout=0.0, batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, num_layers=1, enable_nested_tensor=False)
        self.out = nn.Linear(8, 1)

    def forward(self, words, lengths):
        packed = pack_padded_sequence(self.embedding(words), lengths.cpu(), batch_first=True)
        output, hidden = self.gru(packed)
        output, _ = pad_packed_sequence(output, batch_first=True)
        padding = words.eq(0)
        output = self.encoder(output, src_key_padding_mask=padding)
        output = output.masked_fill(padding.unsqueeze(-1), 0.0)
        mean = output.sum(1) / lengths.unsqueeze(1).to(output.dtype)
        return self.out(mean + torch.cat([hidden[0], hidden[1]], dim=-1)).squeeze(-1)


model = start(Reader())
average = copy.deepcopy(model).requires_grad_(False)
data = Sentences(30)
loader = DataLoader(data, batch_size=6, collate_fn=collate)
optimizer = torch.optim.NAdam(model.parameters(), lr=5e-3)
criterion = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(1.5))
losses = []
for epoch in range(10):
    for words, lengths, labels in loader:
        optimizer.zero_grad()
        loss = criterion(model(words, lengths), labels)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), max_norm=0.5, norm_type=float("inf"))
        optimizer.step()
        losses.append(loss.item())
        with torch.no_grad():
            for kept, new in zip(average.parameters(), model.parameters()):
                kept.lerp_(new, 0.05)
average.eval()
results = {
    "average": average(words, lengths).tolist(),
    "padding": model.embedding.weight[0].tolist(),
}
