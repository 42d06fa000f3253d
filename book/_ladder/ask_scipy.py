import numpy as np
from scipy.special import log_softmax, logsumexp

x = np.array([20.0, 0.0, 0.0], np.float32)
print((-log_softmax(x)[0]).item(), logsumexp(x - x[0]).item())
