//! Japanese, as far as it is spoken here: what is said about rooms.

use super::catalogue::RoomWords;

pub(super) struct Japanese;

impl RoomWords for Japanese {
    fn tag(&self) -> &'static str {
        "ja"
    }

    fn left_out(&self, count: u64) -> String {
        format!("(以前の{count}件を省略)")
    }

    fn in_the_app(&self, count: u64) -> String {
        format!("({count}件はアプリでのみ閲覧可)")
    }

    fn no_more_for_now(&self) -> &'static str {
        "(送信数の上限に達しました。続きは後で届きます。)"
    }

    fn to_write(&self) -> &'static str {
        "書くには:"
    }

    fn reply_to_digest(&self) -> &'static str {
        "このメールに返信すると部屋に書き込めます。引用より下の部分は読まれません。"
    }

    fn offer_room(&self) -> &'static str {
        "発言をSMSで受け取るには:"
    }

    fn follows(&self, room: &str, write: &str, stop: &str) -> String {
        format!(
            "{room}の発言をまとめてSMSで送ります。名指しの発言はすぐ届きます。書くには: {write} やめるには: {stop}"
        )
    }

    fn follows_no_more(&self, room: &str) -> String {
        format!("{room}の発言のSMS送信を終了しました。")
    }

    fn which_room(&self, rooms: &str, example: &str) -> String {
        format!("未実行: どの部屋か指定してください: {rooms} 例: {example}")
    }

    fn no_room(&self) -> &'static str {
        "未実行: 参加中の該当する部屋がありません。責任者に追加を依頼してください。"
    }
}
