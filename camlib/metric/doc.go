// Package metric says how good maps of package cam are: how faithful to the
// network, how robust, how compact, and whether they depend on the network at all.
//
// An [Evaluator] runs one network. [Evaluator.Prepare] makes a [Batch] of images and one
// class for each, and [Batch.Case] a [Case] of one method's maps of them, whose
// methods are the metrics: one value per image. What several metrics or several
// methods need, such as the score of an image, is computed once and kept:
//
//	evaluator, err := metric.New(backend, net, metric.Options{})
//	batch, err := evaluator.Prepare(ctx, images, nil)       // nil: the predicted classes
//	c, err := batch.Case(result, nil)                       // a *cam.Result of these classes
//	curves, err := c.Deletion(ctx)
//	mean, err := metric.Bootstrap(curves.AUC(), metric.Resampling{})
//
// A [Metric] is a value with all that is said of one; [Metrics] lists them for a loop, and
// [Register] adds others. [Random], [Center], [Edge] and [Uniform] are maps that know
// nothing of the network: a method that does not beat them has found nothing. Where the
// truth is known, package truth compares maps with it.
//
// Maps may have any resolution; all metrics look at them enlarged to their images
// ([images.AlignCorners]). Everything is seeded: the same call gives the same values,
// and an image's value does not depend on the images beside it.
//
// Errors match one of the sentinels ([ErrMaps] and its neighbors) under
// [errors.Is] where a caller can act on them. No metric returns NaN or infinity.
package metric
