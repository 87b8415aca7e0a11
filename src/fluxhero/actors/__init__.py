"""The daemon's actors: thin shells around pure objects. They never import each other; they meet in messages."""
