-- +goose Up
-- What cases of before 0040 are about, by the rule of today (casework/wishes.go):
-- what the report that opened a case says, what its assessments found, and media
-- that were captured or came with that report.
UPDATE cases SET topics = coalesce((
    SELECT CASE WHEN r.category IN ('incitement', 'recruitment', 'instructions', 'financing', 'threat') THEN '["' || r.category || '"]' ELSE '[]' END
    FROM case_reports j JOIN reports r ON r.id = j.report_id
    WHERE j.case_id = cases.id ORDER BY j.joined_at, j.report_id LIMIT 1), '[]')
  WHERE topics = '[]' AND handed_from IS NULL;

UPDATE cases SET topics = CASE topics WHEN '[]' THEN '["incitement"]' ELSE substr(topics, 1, length(topics) - 1) || ',"incitement"]' END
  WHERE topics NOT LIKE '%"incitement"%'
    AND id IN (SELECT case_id FROM case_assessments WHERE grounds LIKE '%"incite"%' OR grounds LIKE '%"solicit-offence"%');
UPDATE cases SET topics = CASE topics WHEN '[]' THEN '["recruitment"]' ELSE substr(topics, 1, length(topics) - 1) || ',"recruitment"]' END
  WHERE topics NOT LIKE '%"recruitment"%'
    AND id IN (SELECT case_id FROM case_assessments WHERE grounds LIKE '%"solicit-group"%');
UPDATE cases SET topics = CASE topics WHEN '[]' THEN '["instructions"]' ELSE substr(topics, 1, length(topics) - 1) || ',"instructions"]' END
  WHERE topics NOT LIKE '%"instructions"%'
    AND id IN (SELECT case_id FROM case_assessments WHERE grounds LIKE '%"instruct"%');
UPDATE cases SET topics = CASE topics WHEN '[]' THEN '["threat"]' ELSE substr(topics, 1, length(topics) - 1) || ',"threat"]' END
  WHERE topics NOT LIKE '%"threat"%'
    AND id IN (SELECT case_id FROM case_assessments WHERE grounds LIKE '%"threaten"%');

UPDATE cases SET topics = CASE topics WHEN '[]' THEN '["media"]' ELSE substr(topics, 1, length(topics) - 1) || ',"media"]' END
  WHERE heavy = TRUE AND topics NOT LIKE '%"media"%' AND (
    EXISTS (SELECT 1 FROM capture_files f WHERE f.case_id = cases.id
      AND (f.media_type LIKE 'image/%' OR f.media_type LIKE 'video/%' OR f.media_type LIKE 'audio/%'))
    OR handed_from IS NULL AND EXISTS (SELECT 1 FROM report_files f WHERE f.report_id = (
      SELECT j.report_id FROM case_reports j WHERE j.case_id = cases.id ORDER BY j.joined_at, j.report_id LIMIT 1)));

-- What was handed over is about what its sender's case is.
UPDATE cases SET topics = coalesce((SELECT s.topics FROM handovers h JOIN cases s ON s.id = h.case_id WHERE h.id = cases.handed_from), '[]')
  WHERE topics = '[]' AND handed_from IS NOT NULL;
