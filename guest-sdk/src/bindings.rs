//! What `wit-bindgen` makes of `wit/`. Each exported interface is a world of its own, so that a
//! plugin exports exactly those it implements; `wit-component` puts the worlds together again.

pub mod imports {
    //! The types and the host's functions.
    wit_bindgen::generate!({
        inline: "
            package tickrate:sdk-imports;
            world imports {
                import tickrate:plugin/types@0.1.0;
                import tickrate:plugin/host@0.1.0;
            }
        ",
        path: "../wit",
        generate_all,
    });
}

pub mod info {
    //! The export of `info`.
    wit_bindgen::generate!({
        inline: "
            package tickrate:sdk-info;
            world info { export tickrate:plugin/info@0.1.0; }
        ",
        path: "../wit",
        pub_export_macro: true,
        default_bindings_module: "tickrate_guest::bindings::info",
        export_macro_name: "export_info",
    });
}

pub mod api {
    //! The export of `api`.
    wit_bindgen::generate!({
        inline: "
            package tickrate:sdk-api;
            world api { export tickrate:plugin/api@0.1.0; }
        ",
        path: "../wit",
        with: { "tickrate:plugin/types@0.1.0": crate::bindings::imports::tickrate::plugin::types },
        pub_export_macro: true,
        default_bindings_module: "tickrate_guest::bindings::api",
        export_macro_name: "export_api",
    });
}

pub mod dataset {
    //! The export of `dataset`.
    wit_bindgen::generate!({
        inline: "
            package tickrate:sdk-dataset;
            world dataset { export tickrate:plugin/dataset@0.1.0; }
        ",
        path: "../wit",
        with: { "tickrate:plugin/types@0.1.0": crate::bindings::imports::tickrate::plugin::types },
        pub_export_macro: true,
        default_bindings_module: "tickrate_guest::bindings::dataset",
        export_macro_name: "export_dataset",
    });
}
