"""Data sets that Slicer ships: (name, text of the button or None, files); a file is (SHA-256, file name, node name)."""

GENERAL = [
    ("MRHead", None, [("cc211f0dfd9a05ca3841ce1141b292898b2dd2d3f08286affadf823a7e58df93", "MR-head.nrrd", "MRHead")]),
    ("CTChest", None, [("4507b664690840abb6cb9af2d919377ffc4ef75b167cb6fd0f747befdb12e38e", "CT-chest.nrrd", "CTChest")]),
    ("CTACardio", None, [("3b0d4eb1a7d8ebb0c5a89cc0504640f76a030b4e869e33ff34c564c3d3b88ad2", "CTA-cardio.nrrd", "CTACardio")]),
    ("DTIBrain", None, [("5c78d00c86ae8d968caa7a49b870ef8e1c04525b1abc53845751d8bce1f0b91a", "DTI-Brain.nrrd", "DTIBrain")]),
    ("MRBrainTumor1", None, [("998cb522173839c78657f4bc0ea907cea09fd04e44601f17c82ea27927937b95", "RegLib_C01_1.nrrd", "MRBrainTumor1")]),
    ("MRBrainTumor2", None, [("1a64f3f422eb3d1c9b093d1a18da354b13bcf307907c66317e2463ee530b7a97", "RegLib_C01_2.nrrd", "MRBrainTumor2")]),
    (
        "BaselineVolume",
        None,
        [("dff28a7711d20b6e16d5416535f6010eb99fd0c8468aaa39be4e39da78e93ec2", "BaselineVolume.nrrd", "BaselineVolume")],
    ),
    (
        "DTIVolume",
        None,
        [
            ("d785837276758ddd9d21d76a3694e7fd866505a05bc305793517774c117cb38d", "DTIVolume.raw.gz", None),
            ("67564aa42c7e2eec5c3fd68afb5a910e9eab837b61da780933716a3b922e50fe", "DTIVolume.nhdr", "DTIVolume"),
        ],
    ),
    (
        "DWIVolume",
        None,
        [
            ("cf03fd53583dc05120d3314d0a82bdf5946799b1f72f2a7f08963f3fd24ca692", "dwi.raw.gz", None),
            ("7666d83bc205382e418444ea60ab7df6dba6a0bd684933df8809da6b476b0fed", "dwi.nhdr", "dwi"),
        ],
    ),
    (
        "CTAAbdomenPanoramix",
        "CTA abdomen\n(Panoramix)",
        [("146af87511520c500a3706b7b2bfb545f40d5d04dd180be3a7a2c6940e447433", "Panoramix-cropped.nrrd", "Panoramix-cropped")],
    ),
    (
        "CBCTDentalSurgery",
        None,
        [
            ("7bfa16945629c319a439f414cfb7edddd2a97ba97753e12eede3b56a0eb09968", "PreDentalSurgery.gipl.gz", "PreDentalSurgery"),
            ("4cdc3dc35519bb57daeef4e5df89c00849750e778809e94971d3876f95cc7bbd", "PostDentalSurgery.gipl.gz", "PostDentalSurgery"),
        ],
    ),
    (
        "MRUSProstate",
        "MR-US Prostate",
        [
            ("4843cdc9ea5d7bcce61650d1492ce01035727c892019339dca726380496896aa", "Case10-MR.nrrd", "MRProstate"),
            ("34decf58b1e6794069acbe947b460252262fe95b6858c5e320aeab03bc82ebb2", "case10_US_resampled.nrrd", "USProstate"),
        ],
    ),
    (
        "CTMRBrain",
        "CT-MR Brain",
        [
            ("6a5b6caccb76576a863beb095e3bfb910c50ca78f4c9bf043aa42f976cfa53d1", "CT-brain.nrrd", "CTBrain"),
            ("2da3f655ed20356ee8cdf32aa0f8f9420385de4b6e407d28e67f9974d7ce1593", "MR-brain-T1.nrrd", "MRBrainT1"),
            ("fa1fe5910a69182f2b03c0150d8151ac6c75df986449fb5a6c5ae67141e0f5e7", "MR-brain-T2.nrrd", "MRBrainT2"),
        ],
    ),
    (
        "CBCTMRHead",
        "CBCT-MR Head",
        [
            ("4ce7aa75278b5a7b757ed0c8d7a6b3caccfc3e2973b020532456dbc8f3def7db", "DZ-CBCT.nrrd", "DZ-CBCT"),
            ("b5e9f8afac58d6eb0e0d63d059616c25a98e0beb80f3108410b15260a6817842", "DZ-MR.nrrd", "DZ-MR"),
        ],
    ),
    ("CTLiver", None, [("e16eae0ae6fefa858c5c11e58f0f1bb81834d81b7102e021571056324ef6f37e", "CTLiver.nrrd", "CTLiver")]),
]

# Time series, from a store of their own.
GENERAL_SEQUENCES = [
    (
        "CTPCardioSeq",
        "CTP Cardio Sequence",
        [("7fbb6ad0aed9c00820d66e143c2f037568025ed63db0a8db05ae7f26affeb1c2", "CTP-cardio.seq.nrrd", "CTPCardioSeq")],
    ),
    (
        "CTCardioSeq",
        "CT Cardio Sequence",
        [("d1a1119969acead6c39c7c3ec69223fa2957edc561bc5bf384a203e2284dbc93", "CT-cardio.seq.nrrd", "CTCardioSeq")],
    ),
]

# Shown to developers only.
DEVELOPMENT = (
    "TinyPatient",
    None,
    [
        ("c0743772587e2dd4c97d4e894f5486f7a9a202049c8575e032114c0a5c935c3b", "TinyPatient_CT.nrrd", "TinyPatient_CT"),
        ("3243b62bde36b1db1cdbfe204785bd4bc1fbb772558d5f8cac964cda8385d470", "TinyPatient_Structures.seg.nrrd", "TinyPatient_Segments"),
    ],
)
