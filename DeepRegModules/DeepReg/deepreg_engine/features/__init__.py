"""Features that registrations compare, one vector for each voxel, from handcrafted formulas or small networks."""
