"""Two recipes on one ladder of real training, three times over: the study crossovers."""
