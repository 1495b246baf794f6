// Package export writes networks as ONNX files (https://onnx.ai), for other programs and for
// package onnx.
//
// [Encode] builds the network on a backend that computes nothing and keeps every operation,
// and translates these one by one. So whatever a network is written with, GoMLX's layers or
// its graph functions, is written, as long as ONNX has an operator for it; the error names
// the operation and the layer if it has not. Two things are done to what was recorded. What
// depends on weights alone is computed now. And what is one operator in ONNX is written as
// one: a ReLU in any of its forms, a pooling of slices, a convolution with its bias, a batch
// normalization.
package export
