// Package article holds the network of the article "Class activation mapping を用いた
// CNN の可視化" (Qiita, 2017), with weights that were trained as it says.
//
// The network, all convolutions 3×3, SAME, with bias and ReLU:
//
//	conv 3→32 · conv 32→32 · max-pool 2×2 · conv 32→128 · conv 128→128 · conv 128→128
//	global average pooling · dense 128→10 · softmax
//
// It has 343,594 parameters. Its layers are conv1 to conv5, of which the pool belongs to
// conv3; its head pools the last one's activations and gives one score (logit) per class.
package article
