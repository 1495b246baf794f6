package board

import "github.com/camlab-go/camlab/camlib/cam"

// Economical returns what a board measures in place of a method: where one that runs the
// network over and over has its own numbers, the same with fewer channels, masks, noises or
// steps, so that thousands of images take minutes. Others, and methods with numbers of the
// caller's, are as they are.
func Economical(m cam.Method) cam.Method {
	switch m {
	case cam.ScoreCAM{}:
		return cam.ScoreCAM{Channels: 32}
	case cam.SSCAM{}:
		return cam.SSCAM{Channels: 8, Samples: 2}
	case cam.ISCAM{}:
		return cam.ISCAM{Channels: 8, Steps: 3}
	case cam.RISE{}:
		return cam.RISE{Masks: 64}
	case cam.IntegratedGradients{}:
		return cam.IntegratedGradients{Steps: 8}
	case cam.SmoothGrad{}:
		return cam.SmoothGrad{Samples: 4}
	}
	return m
}
