package onnx

// ScoresOf is scoresOf for tests outside the package.
var ScoresOf = scoresOf
