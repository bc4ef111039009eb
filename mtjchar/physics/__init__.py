"""Macrospin physics of a magnetic tunnel junction, with numpy and scipy only."""

from mtjchar.physics import anisotropy, fokker_planck, torque, tunneling

__all__ = ["anisotropy", "fokker_planck", "torque", "tunneling"]
