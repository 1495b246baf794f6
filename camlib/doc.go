// Package camlib shows where the article's network looks, in three lines:
//
//	model, err := camlib.Article()
//	maps, err := model.Explain("cam", "predicted", images...) // or "cat", or "cat not dog"
//	picture, err := maps.Picture()
//
// It is a façade over the packages that do the work, in the order in which data
// flows through them:
//
//	cifar10 → cnn → cam → figure
//
// and [Backend] opens what they compute on: XLA, or GoMLX's pure-Go backend.
package camlib
