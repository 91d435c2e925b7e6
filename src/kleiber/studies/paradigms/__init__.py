"""Conventional wisdom from small data, tried where data are plenty: the study paradigms."""
