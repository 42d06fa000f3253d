import numpy as np

from sxlit import fast

x = np.array([20.0, 0.0, 0.0], np.float32)
loss, gradient = fast.cross_entropy_with_grad(x, 0)
print(loss.item(), gradient.tolist())
