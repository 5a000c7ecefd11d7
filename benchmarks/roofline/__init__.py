"""How far is a run from what the machine could do, and where does the rest of the time go?"""
