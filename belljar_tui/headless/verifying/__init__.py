"""`belljar verify`, part by part: a sealed run, its judgement, what is said of it."""
