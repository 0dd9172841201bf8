"""A small DCGAN, then a critic with a gradient penalty."""

import itertools

import numpy as np
import torch
import torch.nn as nn
import torch.nn.parallel
import torch.optim as optim
from torch import autograd
from torch.nn.utils import spectral_norm

torch.set_default_dtype(torch.float64)
rng = np.random.RandomState(0)
device = torch.device("cpu")
nz, ngf, ndf, nc = 4, 4, 4, 1


def weights_init(m):
    classname = m.__class__.__name__
    if classname.find("Conv") != -1:
        nn.init.normal_(m.weight.data, 0.0, 0.02)
    elif classname.find("BatchNorm") != -1:
        nn.init.normal_(m.weight.data, 1.0, 0.02)
        nn.init.constant_(m.bias.data, 0)


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.main = nn.Sequential(
            nn.ConvTranspose2d(nz, ngf * 2, 4, 1, 0, bias=False),
            nn.BatchNorm2d(ngf * 2),
            nn.ReLU(True),
            nn.ConvTranspose2d(ngf * 2, nc, 4, 2, 1, bias=False),
            nn.Tanh(),
        )

    def forward(self, input):
        return self.main(input)


class Discriminator(nn.Module):
    def __init__(self, last):
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(nc, ndf, 4, 2, 1, bias=False),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(ndf, ndf * 2, 3, 1, 1, bias=False),
            nn.InstanceNorm2d(ndf * 2, affine=True),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(ndf * 2, 1, 4, 1, 0, bias=False),
            last,
        )

    def forward(self, input):
        return self.main(input).view(-1)


def noise(count):
    return torch.from_numpy(rng.normal(size=(count, nz, 1, 1))).to(device)


def real_images(count):
    waves = np.sin(rng.uniform(0, 3, (count, 1, 1, 1)) + np.arange(8))
    return torch.tensor(waves * np.ones((count, 1, 8, 1)), dtype=torch.float64, device=device)


netG = Generator().to(device)
netG.apply(weights_init)
netD = Discriminator(nn.Sigmoid()).to(device)
netD.apply(weights_init)
start(netG), start(netD)
criterion = nn.BCELoss()
optimizerD = optim.Adam(netD.parameters(), lr=0.002, betas=(0.5, 0.999))
optimizerG = optim.Adam(netG.parameters(), lr=0.002, betas=(0.5, 0.999))
real_label, fake_label = 1.0, 0.0
losses, scores = [], []
for i in range(25):
    netD.zero_grad()
    real = real_images(6)
    label = torch.full((6,), real_label, dtype=torch.float64, device=device)
    output = netD(real).view(-1)
    errD_real = criterion(output, label)
    errD_real.backward()
    D_x = output.mean().item()
    fake = netG(noise(6))
    label.fill_(fake_label)
    output = netD(fake.detach()).view(-1)
    errD_fake = criterion(output, label)
    errD_fake.backward()
    errD = errD_real + errD_fake
    optimizerD.step()
    netG.zero_grad()
    label.fill_(real_label)
    output = netD(fake).view(-1)
    errG = criterion(output, label)
    errG.backward()
    optimizerG.step()
    losses += [errD.item(), errG.item()]
    scores.append(D_x)

# Wasserstein's distance: the critic's slope is held near 1, by a gradient of a gradient.
critic = start(Discriminator(nn.Identity()))
optimizerC = optim.RMSprop(critic.parameters(), lr=1e-3)


def gradient_penalty(real, fake):
    alpha = torch.from_numpy(rng.uniform(size=(real.size(0), 1, 1, 1))).expand_as(real)
    mixed = (alpha * real + ((1 - alpha) * fake)).requires_grad_(True)
    out = critic(mixed)
    gradients = autograd.grad(
        outputs=out, inputs=mixed, grad_outputs=torch.ones_like(out),
        create_graph=True, retain_graph=True, only_inputs=True,
    )[0]  # fmt: skip
    gradients = gradients.view(gradients.size(0), -1)
    return ((gradients.norm(2, dim=1) - 1) ** 2).mean() * 10


for i in range(12):
    for p in critic.parameters():
        p.requires_grad_(True)
    for _ in range(2):
        optimizerC.zero_grad()
        real, fake = real_images(5), netG(noise(5)).detach()
        loss = critic(fake).mean() - critic(real).mean() + gradient_penalty(real, fake)
        loss.backward()
        optimizerC.step()
        losses.append(loss.item())
    for p in critic.parameters():
        p.requires_grad = False
    optimizerG.zero_grad()
    loss = -critic(netG(noise(5))).mean()
    loss.backward()
    optimizerG.step()
    losses.append(loss.item())
for p in itertools.chain(netG.parameters(), critic.parameters()):
    assert p.grad is not None
spectral_norm(nn.Linear(3, 2))
results = {"scores": scores, "made": netG(noise(2)).tolist()}
