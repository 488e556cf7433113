"""The matter directory: who may work on which matter, with which key, behind which wall."""
