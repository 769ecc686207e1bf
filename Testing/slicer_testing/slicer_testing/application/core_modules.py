"""Modules of the application that the host lacks: access to one raises NotImplementedError, unlike access to a mistyped name."""

from __future__ import annotations

LOADABLE = ("EventBroker", "GeneralizedReformat", "Welcome", "DynamicModeler", "ExtensionsManager")
SCRIPTED = (
    "CompareVolumes",
    "CropVolumeSequence",
    "DataProbe",
    "DICOM",
    "DICOMPatcher",
    "DMRIInstall",
    "Endoscopy",
    "ExtensionWizard",
    "ImportItkSnapLabel",
    "LandmarkRegistration",
    "LineProfile",
    "MultiVolumeExplorer",
    "MultiVolumeImporter",
    "PerformanceTests",
    "SampleData",
    "ScreenCapture",
    "SegmentEditor",
    "SegmentStatistics",
    "SelfTests",
    "SurfaceToolbox",
    "VectorToScalarVolume",
    "WebServer",
)
COMMAND_LINE = (
    "ACPCTransform",
    "AddScalarVolumes",
    "BRAINSDeface",
    "BRAINSDWICleanup",
    "BRAINSFit",
    "BRAINSLabelStats",
    "BRAINSResample",
    "BRAINSResize",
    "BRAINSROIAuto",
    "BRAINSStripRotation",
    "BRAINSTransformConvert",
    "CastScalarVolume",
    "CheckerBoardFilter",
    "CreateDICOMSeries",
    "CurvatureAnisotropicDiffusion",
    "ExecutionModelTour",
    "ExtractSkeleton",
    "FiducialRegistration",
    "GaussianBlurImageFilter",
    "GradientAnisotropicDiffusion",
    "GrayscaleFillHoleImageFilter",
    "GrayscaleGrindPeakImageFilter",
    "GrayscaleModelMaker",
    "HistogramMatching",
    "ImageLabelCombine",
    "LabelMapSmoothing",
    "MaskScalarVolume",
    "MedianImageFilter",
    "MergeModels",
    "ModelMaker",
    "ModelToLabelMap",
    "MultiplyScalarVolumes",
    "N4ITKBiasFieldCorrection",
    "OrientScalarVolume",
    "PETStandardUptakeValueComputation",
    "PerformMetricTest",
    "ProbeVolumeWithModel",
    "ResampleDTIVolume",
    "ResampleScalarVectorDWIVolume",
    "ResampleScalarVolume",
    "RobustStatisticsSegmenter",
    "SimpleRegionGrowingSegmentation",
    "SubtractScalarVolumes",
    "TestGridTransformRegistration",
    "ThresholdScalarVolume",
    "VotingBinaryHoleFillingImageFilter",
)

_BY_ATTRIBUTE = {name.lower(): name for name in (*LOADABLE, *SCRIPTED, *COMMAND_LINE)}


def missing(attribute: str) -> NotImplementedError | None:
    """Return the exception for an attribute of ``slicer.modules`` that the application has and the host lacks; None for any other."""
    name = _BY_ATTRIBUTE.get(attribute)
    return None if name is None else NotImplementedError(f"the application's module {name} is not implemented by slicer_testing")
