"""moto reads which account it is when it is imported, so it is said here, before any test imports it."""

import os

os.environ["MOTO_ACCOUNT_ID"] = "111122223333"
