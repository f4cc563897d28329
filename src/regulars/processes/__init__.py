"""Which processes make up a running Regulars, and what each of them does.

`family` starts, watches and ends them and knows nothing of their work; `roles` says what each does; `forwarding`
carries requests from the process that owns the port to the one that has the console; `answering` is the web server.
What is done in loops is said in wiring.loops.
"""
