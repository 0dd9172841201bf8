"""LeNet on small images, as PyTorch's MNIST example has it."""

import argparse

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.optim.lr_scheduler import ExponentialLR
from torch.utils.data import ConcatDataset, Subset, TensorDataset


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, 1)
        self.conv2 = nn.Conv2d(6, 8, kernel_size=(3, 3), padding="same", padding_mode="reflect")
        self.dropout1 = nn.Dropout2d(0.0)
        self.fc1 = nn.Linear(8 * 4 * 4, 16)
        self.fc2 = nn.Linear(16, 4)

    def forward(self, x):
        x = F.relu(F.max_pool2d(self.conv1(x), 2))
        x = self.dropout1(F.relu(self.conv2(x)))
        x = x.view(-1, 8 * 4 * 4)
        x = F.relu(self.fc1(x))
        return F.log_softmax(self.fc2(x), dim=1)


def train(args, model, device, train_loader, optimizer, epoch):
    model.train()
    for batch_idx, (data, target) in enumerate(train_loader):
        data, target = data.to(device), target.to(device)
        optimizer.zero_grad()
        output = model(data)
        loss = F.nll_loss(output, target)
        loss.backward()
        torch.nn.utils.clip_grad_value_(model.parameters(), args.clip)
        optimizer.step()
        losses.append(loss.item())
        if batch_idx % 10 == 0:
            print(
                f"Train Epoch: {epoch} [{batch_idx * len(data)}/{len(train_loader.dataset)} "
                f"({100.0 * batch_idx / len(train_loader):.0f}%)]\tLoss: {loss.item():.6f}"
            )


def test(model, device, test_loader):
    model.eval()
    test_loss = 0
    correct = 0
    with torch.no_grad():
        for data, target in test_loader:
            data, target = data.to(device), target.to(device)
            output = model(data)
            test_loss += F.nll_loss(output, target, reduction="sum").item()
            pred = output.argmax(dim=1, keepdim=True)
            correct += pred.eq(target.view_as(pred)).sum().item()
    test_loss /= len(test_loader.dataset)
    return test_loss, correct


def images(count, seed):
    rng = np.random.RandomState(seed)
    labels = rng.randint(0, 4, count)
    pixels = rng.normal(0, 0.3, (count, 1, 12, 12))
    for image, label in zip(pixels, labels):
        image[0, 3 * label : 3 * label + 2, 2:9] += 1
    mean, std = pixels.mean(), pixels.std()
    return TensorDataset(torch.tensor((pixels - mean) / std), torch.LongTensor(labels))


parser = argparse.ArgumentParser()
parser.add_argument("--batch-size", type=int, default=12)
parser.add_argument("--epochs", type=int, default=5)
parser.add_argument("--clip", type=float, default=0.1)
args = parser.parse_args([])
torch.manual_seed(3)
torch.set_default_dtype(torch.double)
device = torch.device("cpu")
whole = ConcatDataset([images(70, 0), images(80, 1)])
train_loader = torch.utils.data.DataLoader(
    Subset(whole, range(120)), batch_size=args.batch_size, num_workers=0
)
test_loader = torch.utils.data.DataLoader(Subset(whole, range(120, 150)), batch_size=30)
losses = []
model = start(Net().to(device))
optimizer = optim.Adadelta(model.parameters(), lr=1.0)
scheduler = ExponentialLR(optimizer, gamma=0.9)
tests = []
for epoch in range(1, args.epochs + 1):
    train(args, model, device, train_loader, optimizer, epoch)
    tests.append(test(model, device, test_loader))
    scheduler.step()
results = {"tests": tests}
