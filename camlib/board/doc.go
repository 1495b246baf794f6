// Package board ranks methods: a table of methods and metrics on the images of a data set,
// with a 95 % interval around every mean.
//
// A column is an [Entry]: a metric of package metric, or one of places, which takes mosaics,
// a network with a planted trigger or a blind one (package truth). Methods and metrics that
// were registered from outside are on the board as those of camlab are.
package board
