"""Those who take our orders. `ports.Broker` says what they owe us."""
