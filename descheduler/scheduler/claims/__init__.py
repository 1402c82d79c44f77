"""Dynamic resource allocation: which nodes can give pods the devices that their claims ask for."""
