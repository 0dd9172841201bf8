"""A small residual network, written as torchvision writes its own."""

from collections import OrderedDict
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn, optim


def conv3x3(in_planes: int, out_planes: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(
        in_planes, out_planes, kernel_size=3, stride=stride, padding=1, groups=groups, bias=False
    )


class BasicBlock(nn.Module):
    expansion: int = 1

    def __init__(self, inplanes, planes, stride=1, downsample=None, norm_layer=None):
        super().__init__()
        self.conv1 = conv3x3(inplanes, planes, stride)
        self.bn1 = norm_layer(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = conv3x3(planes, planes)
        self.bn2 = norm_layer(planes)
        self.downsample = downsample
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        identity = x
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        if self.downsample is not None:
            identity = self.downsample(x)
        out += identity
        return self.relu(out)


class ResNet(nn.Module):
    def __init__(self, layers, num_classes=4, norm_layer=nn.BatchNorm2d):
        super().__init__()
        self._norm_layer = norm_layer
        self.inplanes = 4
        self.stem = nn.Sequential(
            OrderedDict(
                conv=nn.Conv2d(3, 4, 3, padding=1, bias=False),
                norm=norm_layer(4),
                relu=nn.ReLU(inplace=True),
                pool=nn.MaxPool2d(kernel_size=3, stride=2, padding=1),
            )
        )
        self.layer1 = self._make_layer(4, layers[0])
        self.layer2 = self._make_layer(8, layers[1], stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(8, num_classes)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(m, (nn.BatchNorm2d, nn.GroupNorm)):
                nn.init.constant_(m.weight, 1)
                nn.init.constant_(m.bias, 0)
        for m in self.modules():
            if isinstance(m, BasicBlock) and m.bn2.weight is not None:
                nn.init.zeros_(m.bn2.weight)

    def _make_layer(self, planes, blocks, stride=1):
        downsample = None
        if stride != 1 or self.inplanes != planes * BasicBlock.expansion:
            downsample = nn.Sequential(
                nn.Conv2d(self.inplanes, planes, 1, stride, bias=False), self._norm_layer(planes)
            )
        layers = [BasicBlock(self.inplanes, planes, stride, downsample, self._norm_layer)]
        self.inplanes = planes
        for _ in range(1, blocks):
            layers.append(BasicBlock(self.inplanes, planes, norm_layer=self._norm_layer))
        return nn.Sequential(*layers)

    def forward(self, x):
        x = self.layer2(self.layer1(self.stem(x)))
        return self.fc(torch.flatten(self.avgpool(x), 1))


torch.set_default_dtype(torch.float64)
device = "cuda:0" if torch.cuda.is_available() else "cpu"
model = start(ResNet([1, 1], norm_layer=partial(nn.BatchNorm2d, eps=1e-4, momentum=0.2)))
model.to(device)
parameters = sum(p.numel() for p in model.parameters() if p.requires_grad)
decayed, plain = [], []
for name, param in model.named_parameters():
    (plain if param.ndim == 1 or name.endswith(".bias") else decayed).append(param)
optimizer = optim.SGD(
    [{"params": decayed}, {"params": plain, "weight_decay": 0.0}],
    lr=0.1, momentum=0.9, weight_decay=5e-3,
)  # fmt: skip
steps_per_epoch, epochs = 10, 5
warmup = optim.lr_scheduler.LinearLR(optimizer, start_factor=0.1, total_iters=10)
cosine = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps_per_epoch * epochs - 10)
scheduler = optim.lr_scheduler.SequentialLR(optimizer, [warmup, cosine], milestones=[10])
criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
rng = np.random.RandomState(0)
labels = torch.from_numpy(rng.randint(0, 4, 60))
images = torch.from_numpy(rng.normal(size=(60, 3, 12, 12)))
images[torch.arange(60), labels.clamp(max=2), 4:8, 4:8] += 1.5
losses, accuracy, rates = [], [], []
for epoch in range(epochs):
    model.train()
    order = torch.from_numpy(rng.permutation(60))
    for i in range(steps_per_epoch):
        index = order[i * 6 : (i + 1) * 6]
        inputs, targets = images[index].to(device), labels[index].to(device)
        if rng.rand() < 0.5:
            inputs = inputs.flip(-1)
        outputs = model(inputs)
        loss = criterion(outputs, targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
        rates.append(optimizer.param_groups[0]["lr"])
    model.eval()
    with torch.inference_mode():
        _, predicted = torch.max(model(images.to(device)), 1)
        accuracy.append((predicted == labels).float().mean().item())
results = {
    "parameters": parameters,
    "accuracy": accuracy,
    "rates": rates,
    "statistics": model.stem.norm.running_var.tolist(),
    "batches": model.layer2[0].downsample[1].num_batches_tracked.item(),
}
