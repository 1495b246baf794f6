// Package camlib shows where the article's network looks, in three lines:
//
//	model, err := camlib.Article()
//	maps, err := model.Explain("cam", "predicted", images...) // or "cat", or "cat not dog"
//	picture, err := maps.Picture()
//
// [Load] takes a network of your own with what package train has made of it, [New] any.
// [Maps.Overlay] and [Maps.OverlayOn] lay a map over a photo at the photo's own size,
// [Model.Gallery] draws several methods side by side, and [Maps.WriteNPY] and
// [Maps.WritePNG] save what there is; [Model.WriteONNX] and [Model.WriteNPZ] write the network
// and what it says of a data set for other programs. Pictures carry their alternative text.
//
// It is a façade over the packages that do the work: network and article for what is
// explained, images for what goes in, cam for the methods, figure for the pictures.
// [Backend] opens what they compute on: XLA, or GoMLX's pure-Go backend.
package camlib
