// Package measure says how good maps of package cam are: how faithful to the
// network, how robust, how compact, and whether they depend on the network at all.
//
// A [Meter] runs one network. [Meter.Prepare] makes a [Subject] of images and one
// class for each, and [Subject.Case] a [Case] of one method's maps of them, whose
// methods are the metrics: one value per image. What several metrics or several
// methods need, such as the score of an image, is computed once and kept:
//
//	meter, err := measure.New(backend, net, measure.Options{})
//	subject, err := meter.Prepare(ctx, images, nil)         // nil: the predicted classes
//	c, err := subject.Case(result, nil)                     // a *cam.Result of these classes
//	curves, err := c.Deletion(ctx)
//	mean, err := measure.Bootstrap(curves.AUC(), measure.Resampling{})
//
// [Metrics] lists them all for a loop. [Random], [Centre], [Edge] and [Uniform] are
// maps that know nothing of the network: a method that does not beat them has
// found nothing.
//
// Where the truth is known, [Pointing], [Energy], [MaxBoxAcc] and [GridPointing] compare
// a result with it: [NewMosaics] puts images of four classes into one, [WithTrigger]
// plants a pattern that a class depends on, and [Blind] hides part of the grid from
// the head.
//
// Maps may have any resolution; all metrics look at them enlarged to their images
// ([cam.AlignCorners]). Everything is seeded: the same call gives the same values,
// and an image's value does not depend on the images beside it.
//
// Errors match one of the sentinels ([ErrImages] and its neighbours) under
// [errors.Is] where a caller can act on them. No metric returns NaN or infinity.
package measure
