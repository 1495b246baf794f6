package onnx

// For tests outside the package.
var (
	ScoresOf = scoresOf
	Distance = distance
)
