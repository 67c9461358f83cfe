"""The project's own music: composed by rule, played by FluidSynth, packed in the publishers' layouts.

It makes the small corpora that the checked-in parameters run. Nothing else in the library imports it; rendering again
needs the system packages named in `tutti.rendering.synth`.
"""
