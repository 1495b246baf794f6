// Package cnn holds the network of the article "Class activation mapping を用いた
// CNN の可視化" (Qiita, 2017), its training, its evaluation and its checkpoints.
//
// The network, all convolutions 3×3, SAME, with bias and ReLU:
//
//	conv 3→32 · conv 32→32 · max-pool 2×2 · conv 32→128 · conv 128→128 · conv 128→128
//	global average pooling · dense 128→10 · softmax
//
// It has 343,594 parameters and is split where class activation maps are read:
// [Model.Features] ends at the last convolution's activations, [Model.Head]
// pools them and gives one score (logit) per class.
package cnn
