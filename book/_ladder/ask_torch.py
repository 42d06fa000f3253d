import torch

x = torch.tensor([[20.0, 0.0, 0.0]], requires_grad=True)
loss = torch.nn.functional.cross_entropy(x, torch.tensor([0]))
print(loss.item(), torch.autograd.grad(loss, x)[0].tolist())
