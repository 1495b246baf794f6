// Package cifar10 reads CIFAR-10, 60,000 color images of 32×32 pixels in ten
// classes, from the official binary release.
//
// The release is six files, data_batch_1.bin to data_batch_5.bin (the 50,000
// training images) and test_batch.bin (10,000), each of 10,000 records of
// 3,073 bytes: one label byte, 0 to 9, then 1,024 red, 1,024 green and 1,024
// blue bytes, row by row from the top left. In memory the pixels of a
// [Dataset] are interleaved instead, shaped [n, 32, 32, 3], the layout that
// image code and NHWC networks expect; no value is changed.
//
// [Load] reads the files from a folder or straight from
// cifar-10-binary.tar.gz, checks the sha256 of each, and can download the
// archive. [Sample] is 1,000 real test images that are part of the program
// and need no file at all.
//
// Errors about the data are of type [*Error], and match one of the sentinels
// ([ErrChecksum] and its neighbours) under [errors.Is].
//
// Source: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny
// Images", 2009; https://www.cs.toronto.edu/~kriz/cifar.html.
package cifar10
