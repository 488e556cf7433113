"""Everything a region needs, carried over an air gap as one signed bundle: built where there is a network, loaded where there is none."""
