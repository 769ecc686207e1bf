"""What is compared: features of an image, one vector a voxel, from handcrafted formulas or small networks."""
