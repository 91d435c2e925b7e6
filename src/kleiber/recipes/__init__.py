"""Recipes: formulas from scale to hyper-parameters, and the ladders of runs that they make.

``formula`` safe arithmetic over names of scale · ``recipe`` a TOML file of formulas · ``rung`` one
planned run as plain numbers · ``ladder`` ordered rungs · ``files`` recipes that are shipped.

Nothing here knows of torch, text or machines: a rung is what the rest is given.
"""
