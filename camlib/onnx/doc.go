// Package onnx reads image classifiers from ONNX files (https://onnx.ai) and makes networks
// of them that package cam explains at any of their tensors.
//
// [Open] reads a file, [Model.Layers] lists the tensors that can be explained, and
// [Model.Network] makes a [network.Network]. Nothing but Go is needed: a file is read by its
// wire format, and the operators of its graph become GoMLX nodes one by one when a graph is
// built. What the graph computes of sizes is known then and is folded away.
//
// Floats of all widths are float32 here and integers of all widths int64. An operator that
// is not known is an error that matches [ErrOperator] and names the node; a file that is not
// ONNX is one that matches [ErrModel].
package onnx
