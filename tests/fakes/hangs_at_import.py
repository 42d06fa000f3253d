"""Never comes up."""

import time

time.sleep(3600)
