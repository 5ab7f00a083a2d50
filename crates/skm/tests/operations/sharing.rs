//! What servers on one database share.

use serde_json::json;

use crate::fleet::Fleet;
use crate::site::{SERVICE, km_request};
use crate::support::with;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_one_stores_the_other_gives_out() {
    let Some(fleet) = Fleet::new().await else { return };
    let [one, two] = ["skms-1", "skms-2"].map(|name| fleet.serve(name));
    assert_eq!(fleet.provisioner(&one).put("client-1", "keys of the fleet").await.unwrap().status, 201);
    let request = with(km_request(), "ClientID", json!("client-1"));
    let answer = fleet.ue(&two).key_request(&fleet.site.ue_token(), request.to_string()).await.assert_km(200, None);
    assert_eq!((answer["ServiceID"].as_str(), answer["Payload"].as_str()), (Some(SERVICE), Some("keys of the fleet")));
}
