"""A stand-in for Conduit's admin room: what the real one would have answered, and done.

`words` reads a message, `clap` the command line, `handler` executes it on a backend (`memory` for
replays and fast tests, `synapse` for the lab), `service` is the queue in the room with its faults.
It shares no code with the plugin: a stand-in that did would repeat the plugin's mistakes.
"""
