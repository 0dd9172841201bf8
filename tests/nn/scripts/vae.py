"""A convolutional variational autoencoder."""

import numpy as np
import torch
from torch import nn, optim
from torch.distributions import Normal, kl_divergence
from torch.nn import functional as F
from torch.utils.data import DataLoader

rng = np.random.RandomState(0)
torch.set_default_dtype(torch.float64)


class VAE(nn.Module):
    def __init__(self, latent=3):
        super(VAE, self).__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 4, 4, stride=2, padding=1),
            nn.LeakyReLU(0.1, inplace=True),
            nn.Conv2d(4, 6, 4, stride=2, padding=1),
            nn.GroupNorm(2, 6),
            nn.SiLU(),
            nn.Flatten(start_dim=1),
        )
        self.fc_mu = nn.Linear(24, latent)
        self.fc_logvar = nn.Linear(24, latent)
        self.fc_up = nn.Linear(latent, 24)
        self.decoder = nn.Sequential(
            nn.Unflatten(1, (6, 2, 2)),
            nn.ConvTranspose2d(6, 4, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(4),
            nn.ELU(),
            nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
            nn.Conv2d(4, 1, 3, padding=1),
            nn.Sigmoid(),
        )

    def encode(self, x):
        h = self.encoder(x)
        return self.fc_mu(h), self.fc_logvar(h)

    def reparameterize(self, mu, logvar):
        std = torch.exp(0.5 * logvar)
        eps = torch.from_numpy(rng.normal(size=tuple(std.shape))).to(std)
        return eps.mul(std).add_(mu) if self.training else mu

    def forward(self, x):
        mu, logvar = self.encode(x)
        z = self.reparameterize(mu, logvar)
        return self.decoder(self.fc_up(z)), mu, logvar


def loss_function(recon_x, x, mu, logvar):
    BCE = F.binary_cross_entropy(recon_x.view(-1, 64), x.view(-1, 64), reduction="sum")
    KLD = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return BCE + KLD


def collate(batch):
    return torch.stack([torch.as_tensor(image) for image in batch]).unsqueeze(1)


pictures = [np.outer(a, b) / 8 for a, b in rng.uniform(0, 2.8, (40, 2, 8))]
loader = DataLoader(pictures, batch_size=8, collate_fn=collate, drop_last=True)
device = torch.device("cpu")
model = start(VAE()).to(device=device, dtype=torch.float64)
optimizer = optim.Adam(model.parameters(), lr=3e-3, amsgrad=True)
scheduler = optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, epochs=10, steps_per_epoch=len(loader))
losses, divergences = [], []
for epoch in range(10):
    model.train()
    train_loss = 0
    for data in loader:
        data = data.to(device)
        optimizer.zero_grad()
        recon_batch, mu, logvar = model(data)
        loss = loss_function(recon_batch, data, mu, logvar)
        loss.backward()
        train_loss += loss.item()
        optimizer.step()
        scheduler.step()
        losses.append(loss.item() / len(data))
    model.eval()
    with torch.no_grad():
        recon, mu, logvar = model(data)
        prior = Normal(torch.zeros_like(mu), torch.ones_like(mu))
        latent = Normal(mu, logvar.mul(0.5).exp())
        divergences.append(kl_divergence(latent, prior).sum(dim=-1).mean().item())
results = {
    "divergences": divergences,
    "log_prob": latent.log_prob(torch.zeros(3)).tolist(),
    "recon": recon[0].tolist(),
    "rates": scheduler.get_last_lr(),
}
