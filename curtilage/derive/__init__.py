"""A region's derived facts: pure functions from the region to what hosts are given. Nothing here touches a network, a file or Pulumi."""
