"""What crosses the privilege line: messages, codec, and the AgentClient protocol."""
