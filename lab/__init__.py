"""A local homeserver with an admin room, a bot in it, and people to talk to it."""
