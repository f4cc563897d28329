"""A made-up chain of tea and wellness houses in China, to try the system on: same seed, same world, to the byte.

`world` makes it (pure numpy and pyarrow), `loading` puts it into a system, `evaluation` asks the system for what was
planted. Nobody in it is real.
"""
