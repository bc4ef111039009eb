"""Macrospin physics of a magnetic tunnel junction, with numpy and scipy only."""

from mtjchar.physics import anisotropy, closed_form, fokker_planck, llgs, passage, torque, tunneling

__all__ = ["anisotropy", "closed_form", "fokker_planck", "llgs", "passage", "torque", "tunneling"]
