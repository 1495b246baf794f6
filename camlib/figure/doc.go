// Package figure draws the pictures that a reader learns from: heat maps with a
// colour bar, overlays, an image beside its map, grids, confusion matrices.
// Curves over the epochs are in package figure/curve.
//
// A picture is made in separate steps, each of which can be looked at:
//
//	Map  →  Scale.Normalize  →  Color  →  Magnify
//	raw     0 to 1              colours   larger squares
//
// Numbers are resized, coloured pictures never are: [images.Map.Resize] comes before
// colouring, and [Magnify] only repeats pixels.
//
// A [Shading] (scale, colour map, unit) says how numbers become colours, and is
// what the colour bar shows. [HeatMap] and [Overlay] are functions; the pictures
// with text ([ColorBar], [Pair], [Grid], [Confusion]) are structs with a Draw
// method that checks every field. [PNGBytes] and [WritePNG] encode any of them.
//
// The package imports neither GoMLX nor gonum/plot: a notebook links it anew in
// every cell, and a program that only draws is 3 MB.
package figure
