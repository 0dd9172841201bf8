"""A multilayer perceptron on points of the plane, with checkpoints."""

import copy
import io

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, Dataset, Sampler

torch.manual_seed(1)
torch.set_default_dtype(torch.float64)
use_cuda = torch.cuda.is_available()
device = torch.device("cuda" if use_cuda else "cpu")
kwargs = {"num_workers": 1, "pin_memory": True} if use_cuda else {}


class Rings(Dataset):
    def __init__(self, count, seed):
        rng = np.random.RandomState(seed)
        angle = rng.uniform(0, 2 * np.pi, count)
        self.labels = torch.from_numpy(rng.randint(0, 3, count)).long()
        radius = torch.from_numpy(1 + rng.normal(0, 0.2, count)) + self.labels
        angle = torch.as_tensor(angle)
        self.points = torch.stack([radius * torch.cos(angle), radius * torch.sin(angle)], dim=1)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return self.points[index], self.labels[index]


class Shuffled(Sampler):
    def __init__(self, data, seed):
        self.data, self.rng = data, np.random.RandomState(seed)

    def __iter__(self):
        return iter(self.rng.permutation(len(self.data)).tolist())

    def __len__(self):
        return len(self.data)


class Net(nn.Module):
    def __init__(self, hidden=16, classes=3):
        super(Net, self).__init__()
        self.fc1 = nn.Linear(2, hidden)
        self.norm = nn.BatchNorm1d(hidden)
        self.fc2 = nn.Linear(hidden, hidden)
        self.fc3 = nn.Linear(hidden, classes)

    def forward(self, x):
        x = F.relu(self.norm(self.fc1(x)))
        x = F.dropout(torch.tanh(self.fc2(x)), p=0.0, training=self.training)
        return self.fc3(x)


train_set, test_set = Rings(160, 0), Rings(60, 1)
train_loader = DataLoader(train_set, batch_size=32, sampler=Shuffled(train_set, 2), **kwargs)
test_loader = DataLoader(test_set, batch_size=25, shuffle=False)
model = start(Net()).to(device)
criterion = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 0.5]).to(device))
optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-4)
scheduler = StepLR(optimizer, step_size=2, gamma=0.7)
losses, accuracies, best = [], [], 0.0


def train(epoch):
    model.train()
    for batch_idx, (data, target) in enumerate(train_loader):
        data, target = data.to(device, non_blocking=True), target.to(device)
        optimizer.zero_grad()
        loss = criterion(model(data), target)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())


@torch.no_grad()
def test():
    model.eval()
    correct, total = 0, 0
    for data, target in test_loader:
        output = model(data.to(device))
        pred = output.max(1, keepdim=True)[1]
        correct += pred.eq(target.view_as(pred)).sum().item()
        total += target.size(0)
    return correct / total


best_weights = copy.deepcopy(model.state_dict())
for epoch in range(10):
    train(epoch)
    scheduler.step()
    accuracies.append(test())
    if accuracies[-1] >= best:
        best, best_weights = accuracies[-1], copy.deepcopy(model.state_dict())
    if epoch == 4:
        # A checkpoint, and everything anew from it.
        file = io.BytesIO()
        torch.save(
            {
                "epoch": epoch,
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "scheduler": scheduler.state_dict(),
            },
            file,
        )
        file.seek(0)
        checkpoint = torch.load(file, map_location=device, weights_only=True)
        model = Net().to(device)
        print(model.load_state_dict(checkpoint["model"]))
        optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True)
        optimizer.load_state_dict(checkpoint["optimizer"])
        scheduler = StepLR(optimizer, step_size=2, gamma=0.7)
        scheduler.load_state_dict(checkpoint["scheduler"])
model.load_state_dict(best_weights)
results = {"accuracies": accuracies, "best": test(), "lr": scheduler.get_last_lr()}
assert results["best"] == best
