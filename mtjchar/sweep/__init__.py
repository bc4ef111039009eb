"""Sampling devices, running them through ngspice and Fokker-Planck, and keeping the results."""
